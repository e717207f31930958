//! What the program says of itself: schemas, shell completions, manual pages, help on a topic. All of it is made from the same
//! tables and arguments that the program goes by.

use std::fs;
use std::process::ExitCode;

use clap::CommandFactory;

use super::args::{Cli, CompletionsArgs, HelpArgs, ManArgs, SchemaArgs, Schemas};
use super::exit::{self, Failure};
use super::terminal;
use crate::{compare, report, scenario};

/// `sim schema`.
pub(super) fn schema(args: &SchemaArgs) -> Result<ExitCode, Failure> {
    let text = match args.what {
        _ if args.defaults => scenario::DEFAULTS.to_owned(),
        Schemas::Scenario => format!("{:#}\n", scenario::schema()),
        Schemas::Report => report::SCHEMA.to_owned(),
        Schemas::Compare => compare::SCHEMA.to_owned(),
    };
    say(&text)
}

/// `sim completions`.
pub(super) fn completions(args: &CompletionsArgs) -> Result<ExitCode, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "sim", &mut script);
    say(&String::from_utf8_lossy(&script))
}

/// `sim man`.
pub(super) fn man(args: &ManArgs) -> Result<ExitCode, Failure> {
    let command = Cli::command();
    let Some(folder) = &args.out else {
        let mut page = Vec::new();
        clap_mangen::Man::new(command).render(&mut page).map_err(|e| Failure::unexpected(&e))?;
        return say(&String::from_utf8_lossy(&page));
    };
    let written = fs::create_dir_all(folder).and_then(|()| clap_mangen::generate_to(command, folder));
    written.map_err(|e| Failure::environment(&format!("cannot write {}: {e}", folder.display())))?;
    Ok(ExitCode::SUCCESS)
}

/// `sim help`.
pub(super) fn help(args: &HelpArgs) -> Result<ExitCode, Failure> {
    let mut command = Cli::command();
    command.build();
    match args.topic.as_deref() {
        None => say(&command.render_help().to_string()),
        Some("exit-codes") => say(&exit::codes()),
        Some(topic) => match command.find_subcommand_mut(topic) {
            Some(verb) => say(&verb.render_long_help().to_string()),
            None => Err(Failure::usage(&format!(
                "there is no help on `{topic}`; topics are the verbs and exit-codes"
            ))),
        },
    }
}

fn say(text: &str) -> Result<ExitCode, Failure> {
    terminal::print(text)
        .map_err(|e| Failure::environment(&format!("cannot write to standard output: {e}")))?;
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use schemars::JsonSchema;
    use schemars::generate::SchemaSettings;

    use super::*;
    use crate::compare::Comparison;
    use crate::summary::Summary;

    /// The schema that a type stands for.
    fn of<T: JsonSchema>() -> String {
        let schema = SchemaSettings::draft07().into_generator().into_root_schema_for::<T>();
        serde_json::to_string_pretty(&schema).unwrap() + "\n"
    }

    // Aim: the shipped schemas are those of this program. Method: make them anew; INSTA_UPDATE=always writes them.
    #[test]
    #[expect(clippy::disallowed_methods, reason = "insta's variable says whether files are written")]
    fn shipped_schemas_are_up_to_date() {
        for (file, text) in [
            ("scenario.schema.json", format!("{:#}\n", scenario::schema())),
            ("report.schema.json", of::<Summary>()),
            ("compare.schema.json", of::<Comparison>()),
        ] {
            if std::env::var("INSTA_UPDATE").as_deref() == Ok("always") {
                fs::write(file, &text).unwrap();
            }
            assert!(
                fs::read_to_string(file).unwrap() == text,
                "{file} is old: INSTA_UPDATE=always cargo test"
            );
        }
    }
}
