//! The straight line of one run: plan, engine, recorder, summary, files, exit code.
