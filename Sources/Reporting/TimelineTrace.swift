// A timeline in Chrome's trace format, which Perfetto and chrome://tracing open. Any thread.

public import SwitchModel

extension Timeline {
    /// One JSON object: a process per rank with a thread per port, a slice per piece of a message, and an arrow per message.
    ///
    /// Times are microseconds, rounded to nanoseconds at slices' ends so that neighbours never overlap.
    public func chromeTrace(rank name: (Int) -> String) -> String {
        var json = "{\"displayTimeUnit\": \"ns\", \"traceEvents\": ["
        var isFirst = true
        func add(_ fields: String) {
            json += (isFirst ? "\n{" : ",\n{") + fields + "}"
            isFirst = false
        }
        func time(_ seconds: Double) -> Double { ((seconds - firstAt) * 1e9).rounded() }
        func micro(_ nanoseconds: Double) -> String { JSONOutput.number(nanoseconds / 1e3) }

        for lane in TimelineLanes(of: self).lanes where !lane.segments.isEmpty {
            let (process, thread) = (lane.rank, lane.isSending ? 0 : 1)
            let place = "\"pid\": \(process), \"tid\": \(thread)"
            add("\"ph\": \"M\", \"name\": \"process_name\", \(place), \"args\": {\"name\": \"\(name(lane.rank))\"}")
            add("\"ph\": \"M\", \"name\": \"process_sort_index\", \(place), \"args\": {\"sort_index\": \(process)}")
            add(
                "\"ph\": \"M\", \"name\": \"thread_name\", \(place), "
                    + "\"args\": {\"name\": \"\(lane.isSending ? "send" : "receive") port\"}")
            for segment in lane.segments {
                let passage = passages[segment.passage]
                let (start, end) = (time(segment.start), time(segment.end))
                let peer = lane.isSending ? "to \(name(passage.to))" : "from \(name(passage.from))"
                let label = segment.kind == .transfer ? peer : "\(segment.kind.rawValue) \(peer)"
                add(
                    "\"ph\": \"X\", \"cat\": \"\(segment.kind.rawValue)\", \"name\": \"\(label)\", \(place), "
                        + "\"ts\": \(micro(start)), \"dur\": \(micro(end - start)), \"args\": {\"message\": "
                        + "\(segment.passage), \"megabytes\": \(JSONOutput.number(passage.megabytes))}")
                if segment.kind == .transfer {
                    let phase = lane.isSending ? "\"ph\": \"s\"" : "\"ph\": \"f\", \"bp\": \"e\""
                    add(
                        "\(phase), \"cat\": \"message\", \"name\": \"message\", \"id\": \(segment.passage), \(place), "
                            + "\"ts\": \(micro(start))")
                }
            }
        }
        return json + "\n]}\n"
    }
}
