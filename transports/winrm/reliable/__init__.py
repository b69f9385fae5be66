"""A channel that loses and doubles nothing, over WinRM, which may do both.

WinRM hands out output once: when the answer to a Receive is lost, its bytes are gone, and a Send that
is repeated after a broken connection may arrive twice. So the console starts `relay` on the node
(``python -I -c``, the source through stdin), and the relay starts the wanted process. Between them
flow two kinds of frames: a piece of a stream at its offset, and a snapshot of what the writer knows.
Both may be lost, doubled or come late without harm: a piece is taken only where its stream has got
to, and a snapshot tells what is missing.

`frames`, `streams`, `snapshot`, `peer` and `relay` also run on the node: any Python from 3.7 on, standard
library and each other only.

Neither end trusts the other. Each keeps at most a window of every stream and one frame, decodes snapshots
strictly, and ends the channel with a FrameError at an offset, a number or a repetition that no honest end
sends.
"""
