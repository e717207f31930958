//! From the text of a scenario to a checked `Plan`, or to all its mistakes at once.
