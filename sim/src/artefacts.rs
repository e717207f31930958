//! The folder a run leaves behind: written to a temporary one, then renamed; `latest` points to the newest.
