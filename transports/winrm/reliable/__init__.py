"""Exactly-once delivery of byte streams over WinRM, which may lose and duplicate data.

WinRM returns output once: if the answer to a Receive is lost, its bytes are gone. A Send that is repeated
after a broken connection may arrive twice. Therefore the console starts `relay` on the node
(``python -I -c``, the source through stdin), and the relay starts the process. They exchange two kinds of
frames: a piece of a stream at its offset, and a snapshot of the sender's state. Both may be lost, duplicated
or late: a piece is accepted only at the offset that its stream has reached, and a snapshot shows what is
missing.

`frames`, `streams`, `snapshot`, `peer` and `relay` also run on the node, under Python 3.7 or later. They
import only the standard library and each other.

Neither end trusts the other. Each buffers at most one window per stream and one frame, decodes snapshots
strictly, and ends the channel with a FrameError at an offset, a number or a repetition that violates the
protocol.
"""
