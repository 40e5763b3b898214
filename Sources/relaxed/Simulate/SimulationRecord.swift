// What `relaxed simulate` says beside the timeline, as JSON and as text. The same arguments give the same bytes, so it
// does not hold the hour.

import Reporting
import SwitchModel

/// The settings, the makespan, and for patterns the closed form.
struct SimulationRecord: Encodable {
    let latencySeconds: Double
    let secondsPerMegabyte: Double
    let ports: PortSemantics
    let compression: Double
    let ranks: Int
    let messages: Int
    /// Seconds from the first posting to the last arrival.
    let makespan: Double
    var pattern: Pattern?
    var workers: Int?
    /// Before compression.
    var megabytes: Double?
    var computeSeconds: Double?
    var updates: Int?
    /// Seconds of the closed form; absent without a pattern.
    var predicted: Double?
    var formula: String?

    init(timeline: Timeline, compression: Double) {
        latencySeconds = timeline.cost.latencySeconds
        secondsPerMegabyte = timeline.cost.secondsPerMegabyte
        ports = timeline.cost.ports
        ranks = timeline.ranks
        messages = timeline.messageCount
        makespan = timeline.makespan
        self.compression = compression
    }

    /// The lines above the timeline, each ended by a newline.
    func text(title: String) -> String {
        var text = title
        if compression != 1 { text += " compressed \(Quantity.plain(compression)) times" }
        text += "; t_latency \(Quantity.seconds(latencySeconds))"
        text += ", t_transfer \(Quantity.seconds(secondsPerMegabyte)) per MB, ports \(ports.rawValue)\n"
        text +=
            "makespan \(Quantity.plain(makespan, digits: 10)) s, \(Quantity.grouped(messages)) \(messages == 1 ? "message" : "messages")\n"
        if let predicted { text += "closed form \(Quantity.plain(predicted, digits: 10)) s = \(formula ?? "")\n" }
        return text
    }
}
