// The library product: re-exports what a Swift program needs to train, compress, measure, simulate and report without the command.

@_exported public import Collectives
@_exported public import Compression
@_exported public import Datasets
@_exported public import Graphs
@_exported public import Measurement
@_exported public import Messaging
@_exported public import Objectives
@_exported public import Platform
@_exported public import Reporting
@_exported public import SwitchModel
@_exported public import Training
@_exported public import enum Kernels.RandomConsumer
@_exported public import struct Kernels.RandomStream
