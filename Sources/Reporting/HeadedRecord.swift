// A record with its head, as it is written to JSON. Any thread; a value type.

/// A record under its head: the keys of both stand side by side in one object.
public struct HeadedRecord<Body: Encodable>: Encodable {
    public let environment: RunEnvironment
    public let body: Body

    /// `body` must encode as an object that shares no key with the head.
    public init(environment: RunEnvironment, body: Body) {
        self.environment = environment
        self.body = body
    }

    public func encode(to encoder: any Encoder) throws {
        try environment.encode(to: encoder)
        // What is the same to the byte in every run says nothing of when and how long.
        if environment.startedAt != nil { try ProcessTimes().encode(to: encoder) }
        try body.encode(to: encoder)
    }
}

extension HeadedRecord: Sendable where Body: Sendable {}
