//! The live engine: a real gateway, real sockets, real time.
