/// A formula of the documents: numbers, names, + - / ^, parentheses, ceil, sqrt, log2 and min; a blank multiplies.
struct Formula {
    private enum Token: Equatable {
        case number(Double)
        case name(String)
        /// A name right before its parenthesis.
        case function(String)
        case sign(Character)
    }

    struct Unreadable: Error { let text: String }

    private let text: String
    private var tokens: [Token] = []

    init(_ text: String) throws {
        self.text = text
        var rest = text[...]
        while let first = rest.first {
            let word = rest.prefix { $0.isLetter || $0.isNumber || $0 == "." }
            rest = rest.dropFirst(max(1, word.count))
            if first == " " { continue }
            if let number = Double(word) {
                tokens.append(.number(number))
            } else if word.isEmpty {
                tokens.append(.sign(first))
            } else {
                tokens.append(rest.first == "(" ? .function(String(word)) : .name(String(word)))
            }
        }
    }

    /// The value where names stand for these numbers.
    func value(_ values: [String: Double]) throws -> Double {
        var rest = tokens[...]
        let result = try sum(&rest, values)
        guard rest.isEmpty else { throw Unreadable(text: text) }
        return result
    }

    private func sum(_ rest: inout ArraySlice<Token>, _ values: [String: Double]) throws -> Double {
        var result = try product(&rest, values)
        while let sign = rest.first, sign == .sign("+") || sign == .sign("-") {
            rest.removeFirst()
            let term = try product(&rest, values)
            result += sign == .sign("+") ? term : -term
        }
        return result
    }

    private func product(_ rest: inout ArraySlice<Token>, _ values: [String: Double]) throws -> Double {
        var result = try power(&rest, values)
        while let next = rest.first {
            switch next {
            case .sign("/"):
                rest.removeFirst()
                result /= try power(&rest, values)
            case .number, .name, .function, .sign("("): result *= try power(&rest, values)
            default: return result
            }
        }
        return result
    }

    private func power(_ rest: inout ArraySlice<Token>, _ values: [String: Double]) throws -> Double {
        let base = try factor(&rest, values)
        guard rest.first == .sign("^") else { return base }
        rest.removeFirst()
        let exponent = Int(try factor(&rest, values))
        return (0..<exponent).reduce(1) { product, _ in product * base }
    }

    private func factor(_ rest: inout ArraySlice<Token>, _ values: [String: Double]) throws -> Double {
        switch rest.popFirst() {
        case .number(let number): return number
        case .name(let name):
            guard let value = values[name] else { throw Unreadable(text: "\(name) in \(text)") }
            return value
        case .sign("("):
            let result = try sum(&rest, values)
            guard rest.popFirst() == .sign(")") else { throw Unreadable(text: text) }
            return result
        case .function(let name):
            rest.removeFirst()
            var arguments = [try sum(&rest, values)]
            while rest.first == .sign(",") {
                rest.removeFirst()
                arguments.append(try sum(&rest, values))
            }
            guard rest.popFirst() == .sign(")") else { throw Unreadable(text: text) }
            return try apply(name, arguments)
        default: throw Unreadable(text: text)
        }
    }

    private func apply(_ name: String, _ arguments: [Double]) throws -> Double {
        switch name {
        case "ceil": return arguments[0].rounded(.up)
        case "sqrt": return arguments[0].squareRoot()
        // Only its next whole number is asked for.
        case "log2":
            return Double((0...64).first { Double(sign: .plus, exponent: $0, significand: 1) >= arguments[0] }!)
        case "min": return arguments.min()!
        default: throw Unreadable(text: "\(name) in \(text)")
        }
    }
}
