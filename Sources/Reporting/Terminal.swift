// What is known about the terminal. Any thread.

internal import Glibc

public enum Terminal {
    /// Columns of the terminal that standard output goes to; nil where it goes elsewhere, and no line is too long.
    public static var width: Int? {
        var size = winsize()
        guard unsafe ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return nil }
        return Int(size.ws_col)
    }
}
