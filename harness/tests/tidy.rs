//! The repository's own rules, as tests over its sources.
//!
//! What it is not: no compiler and no parser. A rule reads lines, so each is made such that lines are enough; what
//! clippy and rustc can enforce is left to them. The words that are forbidden are put together here from two halves,
//! so that this file obeys its own rules.
//!
//! Who calls it: `cargo test`, on the host alone. A rule that fails lists every place as `file:line`.

#[path = "tidy/sources.rs"]
mod sources;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use clap::Parser as _;
use clap::error::ErrorKind;
use lazy_mmu_engine::registry::GenerationName;
use lazy_mmu_engine::zoo;
use lazy_mmu_harness::cli::Cli;
use lazy_mmu_harness::target::Target;
use lazy_mmu_harness::workspace::QUICK;
use sources::{Source, files, read, root, sections, sources};

/// Fails if there is an offence.
#[track_caller]
fn none(rule: &str, offences: Vec<String>) {
    assert!(offences.is_empty(), "{rule}; {} places:\n{}\n", offences.len(), offences.join("\n"));
}

/// The places at which a line does what a rule forbids.
fn places<'s>(lines: impl Iterator<Item = (usize, &'s str)>, file: &Source, bad: impl Fn(&str) -> bool) -> Vec<String> {
    lines.filter(|(_, line)| bad(line)).map(|(number, line)| file.place(number, line)).collect()
}

const ARCHITECTURES: [&str; 4] = ["aarch64", "powerpc64", "sparc64", "x86_64"];
const ASM: &str = concat!("asm", "!(");

fn asm_files() -> Vec<Source> {
    let files: Vec<_> =
        sources("arches/src", &["asm.rs"]).into_iter().filter(|f| f.path != "arches/src/asm.rs").collect();
    assert_eq!(files.len(), ARCHITECTURES.len(), "one asm.rs per architecture");
    files
}

/// The lines of each block of assembly: from the macro's name to its closing parenthesis.
fn asm_blocks(file: &Source) -> Vec<Vec<(usize, &str)>> {
    let starts: Vec<_> = file.code().filter(|(_, line)| line.contains(ASM)).map(|(number, _)| number).collect();
    let block = |start: usize| {
        let mut open = true;
        file.lines().skip(start - 1).take_while(move |(_, line)| {
            let inside = open;
            open = !line.trim_start().starts_with(')');
            inside
        })
    };
    assert!(!starts.is_empty(), "{} has no assembly", file.path);
    starts.into_iter().map(|start| block(start).collect()).collect()
}

#[test]
fn every_line_of_assembly_ends_in_a_paraphrase() {
    let is_paraphrased = |line: &str| {
        let after = line.trim().trim_start_matches('"').split_once('"').map_or("", |(_, after)| after);
        after.strip_prefix(", // ").is_some_and(|comment| comment.len() > 3)
    };
    let mut offences = Vec::new();
    for file in asm_files() {
        for block in asm_blocks(&file) {
            let template = block.iter().filter(|(_, line)| line.trim_start().starts_with('"'));
            offences.extend(template.clone().filter(|(_, l)| !is_paraphrased(l)).map(|(n, l)| file.place(*n, l)));
            // A template on the macro's own line would be seen by no rule.
            let (number, first) = block[0];
            if !first.ends_with(ASM) || template.count() == 0 {
                offences.push(file.place(number, first));
            }
        }
    }
    none("each template line stands alone and ends in `// ...`, what the instruction does", offences);
}

#[test]
fn every_block_of_assembly_states_its_options_and_lies_in_the_section() {
    let mut offences = Vec::new();
    for file in asm_files() {
        let lines: Vec<&str> = file.text.lines().collect();
        for block in asm_blocks(&file) {
            let (number, first) = block[0];
            let states = block.iter().any(|(_, line)| line.trim_start().starts_with("options("));
            let function = lines[..number].iter().rposition(|line| line.contains("fn ")).unwrap_or(0);
            let mut attributes = lines[..function].iter().rev().take_while(|line| line.starts_with("#["));
            if !states || !attributes.any(|line| line.contains("link_section = \"privop\"")) {
                offences.push(file.place(number, first));
            }
        }
    }
    none("each block has explicit options(...), and its function is in section privop", offences);
}

#[test]
fn assembly_stands_in_the_asm_files_alone_and_each_names_its_references() {
    let own: BTreeSet<String> = ARCHITECTURES.iter().map(|isa| format!("arches/src/{isa}/asm.rs")).collect();
    let mut offences = Vec::new();
    for file in sources("", &[".rs"]) {
        if own.contains(&file.path) {
            let header = file.text.lines().take_while(|line| line.starts_with("//!"));
            if !header.into_iter().any(|line| line.starts_with("//! Refs: ")) {
                offences.push(file.place(1, "no `Refs:` in the header"));
            }
        } else {
            offences.extend(places(file.code(), &file, |line| line.contains(ASM)));
        }
    }
    none("assembly is in arches/src/<isa>/asm.rs, whose header says by which manuals", offences);
}

#[test]
fn the_architectures_have_the_same_files() {
    let expected =
        ["asm", "decode", "earlier", "hooks", "mod", "pte", "queue", "tests"].map(|name| format!("{name}.rs"));
    let mut offences = Vec::new();
    for isa in ARCHITECTURES {
        let folder = format!("arches/src/{isa}/");
        let below: Vec<_> = files(&folder, &[""]).iter().map(|path| path[folder.len()..].to_owned()).collect();
        let top: Vec<_> = below.iter().filter(|name| !name.contains('/')).collect();
        if !top.iter().copied().eq(&expected) {
            offences.push(format!("{folder}: {top:?}"));
        }
        // A folder below holds a file's tests and nothing else.
        let deeper = below.iter().filter(|name| name.contains('/') && !name.ends_with("/tests.rs"));
        offences.extend(deeper.map(|name| format!("{folder}{name}: a file of one architecture")));
    }
    none(&format!("each architecture has {expected:?}"), offences);
}

#[test]
fn lints_are_expected_and_never_allowed() {
    let words = [concat!("[al", "low("), concat!(" al", "low("), concat!("#[ig", "nore")];
    let mut offences = Vec::new();
    for file in sources("", &[".rs"]) {
        offences.extend(places(file.code(), &file, |line| words.iter().any(|word| line.contains(word))));
    }
    none("#[expect(lint, reason = ...)] says when it is no longer needed; a test runs or is not there", offences);
}

#[test]
fn nothing_is_left_to_be_done() {
    let words = [concat!("to", "do!"), concat!("un", "implemented!"), concat!("FIX", "ME"), concat!("XX", "X")];
    let mut offences = Vec::new();
    for file in sources("", &[".rs"]) {
        offences.extend(places(file.lines(), &file, |line| words.iter().any(|word| line.contains(word))));
    }
    none("what is not there is named in the module's documentation, not marked", offences);
}

#[test]
fn unsafe_code_says_why_it_is_sound() {
    let opens = [concat!("uns", "afe {"), concat!("uns", "afe impl"), concat!("uns", "afe extern")];
    let mut offences = Vec::new();
    let mut seen = 0;
    for file in sources("", &[".rs"]) {
        let lines: Vec<&str> = file.text.lines().collect();
        for (number, line) in file.code().filter(|(_, line)| opens.iter().any(|open| line.contains(open))) {
            seen += 1;
            let before = &lines[number.saturating_sub(4)..number - 1];
            // A function says to its callers what they must see to.
            let said =
                |line: &str| ["// SAFETY: ", "/// # Safety"].iter().any(|mark| line.trim_start().starts_with(mark));
            if !before.iter().any(|line| said(line)) {
                offences.push(file.place(number, line));
            }
        }
    }
    assert!(seen > 0, "there is unsafe code");
    none("a SAFETY comment stands within the three lines before", offences);
}

#[test]
fn every_module_says_what_it_is() {
    let files = sources("", &[".rs"]);
    let silent = files.iter().filter(|file| !file.text.starts_with("//! "));
    none("a file opens with `//!`", silent.map(|file| file.place(1, file.text.lines().next().unwrap_or(""))).collect());
}

#[test]
fn no_file_is_longer_than_600_lines() {
    let files = sources("", &[".rs"]);
    let long = files.iter().map(|file| (file, file.text.lines().count())).filter(|(_, lines)| *lines > 600);
    none("a longer file is two modules", long.map(|(file, lines)| format!("{}:{lines}", file.path)).collect());
}

#[test]
fn oracles_know_neither_subjects_nor_the_machine() {
    // What an oracle must not share, by its path or as a part of a grouped import.
    let forbidden = ["generation", "state", "subject", "machine"];
    let roots = ["lazy_mmu_core::", "crate::", "super::super::"];
    let names = |line: &str| {
        let after_roots =
            roots.iter().flat_map(|root| line.match_indices(root).map(|(at, root)| &line[at + root.len()..]));
        after_roots.into_iter().any(|after| {
            let grouped = after.starts_with(['{', '*']);
            let mut words = after.split(|c: char| !c.is_alphanumeric() && c != '_');
            let first = words.next().unwrap_or_default();
            forbidden.contains(&first) || after.starts_with('*') || grouped && words.any(|w| forbidden.contains(&w))
        })
    };
    let mut offences = Vec::new();
    let oracles = sources("harness/contract/src", &[".rs"]);
    assert!(oracles.iter().any(|file| file.path.ends_with("/model.rs")), "the reference model is one of them");
    for file in &oracles {
        // An import over several lines is looked at as one.
        let mut statement = String::new();
        for (number, line) in file.without_tests() {
            statement.push_str(line.trim());
            if statement.trim_start_matches("pub ").starts_with("use ") && !statement.ends_with(';') {
                continue;
            }
            if names(&statement) {
                offences.push(file.place(number, &statement));
            }
            statement.clear();
        }
    }
    none("an oracle that shares code with what it judges proves nothing", offences);
}

/// The machine has tables of its own: of the backends' package it takes the plain types that lie at the border, and it
/// asks a subject for no meaning of a word.
#[test]
fn the_machine_reads_words_and_operands_by_its_own_tables() {
    let plain = ["page", "insn", "mmu", "context::Note", "backend::Deferred"];
    let names = ["pte_flags", "pte_frame", "pte_size", "machine_address"];
    let bad = |line: &str| {
        let foreign = line.match_indices("lazy_mmu_arches::").any(|(at, root)| {
            let path = &line[at + root.len()..];
            !plain.iter().any(|plain| path.strip_prefix(plain).is_some_and(|rest| rest.starts_with([':', ';'])))
        });
        foreign || line.contains("lazy_mmu_arches as") || names.iter().any(|name| line.contains(name))
    };
    let machine = sources("harness/machine/src", &[".rs"]);
    assert!(machine.iter().any(|file| file.path.ends_with("/codec/powerpc64.rs")), "its tables are among them");
    let offences = machine.iter().flat_map(|file| places(file.without_tests(), file, bad)).collect();
    none("a machine that decodes by its subject's tables cannot find them wrong", offences);
}

/// What a backend or a subject asks, the machine answers: a method that yields something has no body in these traits,
/// so that who does not answer does not compile. What yields nothing may do nothing; the adapter hands all of it on.
#[test]
fn questions_have_no_default() {
    let traits = [
        ("core/src/kernel.rs", "pub trait Kernel"),
        ("arches/src/context.rs", "pub trait Context"),
        ("harness/abi/src/subject.rs", "pub trait Env"),
        ("harness/abi/src/subject.rs", "pub trait Subject"),
    ];
    let adapter = read("harness/subjects/src/adapter.rs");
    let mut offences = Vec::new();
    for (path, heading) in traits {
        let text = read(path);
        let body = text.split(heading).nth(1).and_then(|rest| rest.split("\n}").next()).expect("the trait");
        let methods: Vec<&str> = body.split("\n    fn ").skip(1).collect();
        assert!(methods.len() > 5, "{path}: {heading}");
        for method in methods {
            let name = method.split(['(', '<']).next().unwrap_or_default();
            let signature = method.split([';', '{']).next().unwrap_or_default();
            let has_body = method[signature.len()..].starts_with('{');
            if has_body && signature.contains("->") {
                offences.push(format!("{path}: {heading}: {name} yields something, and has a default"));
            }
            // `op` is `execute` by another name; an object's methods are the machine's own.
            if !adapter.contains(&format!("fn {name}(")) && name != "op" && !heading.ends_with("Env") {
                offences.push(format!("{path}: {heading}: the adapter leaves {name} to its default"));
            }
        }
    }
    none("a question that nobody answers has a default answer", offences);
}

/// The table of docs/architecture.md names every package of the workspace with what it needs, and each needs only what
/// stands above it.
#[test]
fn the_picture_is_what_the_manifests_say() {
    let picture = read("docs/architecture.md");
    let rows = picture.lines().filter(|line| line.starts_with("| `") && line.contains("/` | lazy-mmu-"));
    let rows: Vec<Vec<&str>> = rows.map(|row| row.split('|').map(str::trim).collect()).collect();
    let mut offences = Vec::new();
    let mut above = BTreeSet::new();
    for row in &rows {
        let (folder, package) = (row[1].trim_matches('`'), row[2]);
        let says: BTreeSet<&str> = row[3].split(", ").filter(|name| !name.is_empty()).collect();
        let manifest = read(&format!("{folder}Cargo.toml"));
        let needs = manifest.split("\n[dependencies]\n").nth(1).unwrap_or_default();
        let needs = needs.split("\n[").next().unwrap_or_default().lines();
        let needs = needs.filter_map(|line| line.strip_prefix("lazy-mmu-")?.split(['.', ' ']).next()).collect();
        if !manifest.contains(&format!("name = \"{package}\"")) {
            offences.push(format!("{folder}Cargo.toml is not of {package}"));
        }
        if says != needs {
            offences.push(format!("{package} needs {needs:?}, the picture says {says:?}"));
        }
        offences.extend(needs.difference(&above).map(|below| format!("{package} needs {below}, which is below it")));
        above.insert(package.trim_start_matches("lazy-mmu-"));
    }
    let packages =
        sources("", &["Cargo.toml"]).iter().filter(|file| file.lines().any(|(_, l)| l == "[package]")).count();
    assert_eq!(rows.len(), packages, "packages in the picture, and in the project");
    none("the picture of docs/architecture.md is not what is built", offences);
}

#[test]
fn core_depends_on_nothing_and_the_kernels_parts_are_no_std() {
    let mut offences = Vec::new();
    for manifest in sources("core", &["Cargo.toml"]) {
        let heads = |line: &str| line.trim_start().starts_with('[') && line.contains("dependencies");
        offences.extend(places(manifest.lines(), &manifest, heads));
    }
    for package in ["core", "arches"] {
        let library = format!("{package}/src/lib.rs");
        if !read(&library).lines().any(|line| line == "#![no_std]") {
            offences.push(format!("{library}:1: no #![no_std]"));
        }
        let words = ["std::", "extern crate", "alloc::"];
        for file in sources(package, &[".rs"]).iter().filter(|file| file.path.contains("/src/")) {
            offences.extend(places(file.without_tests(), file, |line| words.iter().any(|word| line.contains(word))));
        }
    }
    none("a kernel can link core and arches; core needs nothing else", offences);
}

#[test]
fn unstable_features_are_confined_to_one_line() {
    let word = concat!("fea", "ture(");
    let only =
        ("arches/src/lib.rs", concat!("#![cfg_attr(target_arch = \"sparc64\", fea", "ture(asm_experimental_arch))]"));
    let mut found = Vec::new();
    for file in sources("", &[".rs"]) {
        let lines = file.code().filter(|(_, line)| line.contains(word));
        found.extend(lines.map(|(number, line)| (file.path.clone(), line.to_owned(), file.place(number, line))));
    }
    assert!(found.iter().any(|(path, line, _)| (path.as_str(), line.as_str()) == only), "{only:?} is gone");
    let others = found.into_iter().filter(|(path, line, _)| (path.as_str(), line.as_str()) != only);
    none("only sparc64's assembly is unstable", others.map(|(.., place)| place).collect());
}

#[test]
fn no_path_is_one_machines_own() {
    let folders = [concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/tm", "p/"), concat!("../sha", "red")];
    // `$here/../root/` is a path below something else.
    let absolute =
        |line: &str, at: usize| !line[..at].ends_with(|c: char| c.is_alphanumeric() || "._-*}/)".contains(c));
    let names = |line: &str| folders.iter().any(|folder| line.match_indices(folder).any(|(at, _)| absolute(line, at)));
    let mut offences = Vec::new();
    for file in sources("", &[".rs", ".toml", ".md"]) {
        offences.extend(places(file.lines(), &file, names));
    }
    none("a path of one machine is wrong on every other", offences);
}

#[test]
fn links_in_documents_lead_somewhere() {
    let mut offences = Vec::new();
    for file in sources("", &[".md"]) {
        let folder = Path::new(&file.path).parent().unwrap_or(Path::new("")).to_owned();
        let mut fenced = false;
        for (number, line) in file.lines() {
            fenced ^= line.trim_start().starts_with("```");
            let links = line.split("](").skip(1).filter_map(|rest| rest.split([')', '#', ' ']).next());
            let relative = links.filter(|link| !fenced && !link.is_empty() && !link.contains("://"));
            let dead = relative.filter(|link| !root().join(folder.join(link)).exists());
            offences.extend(dead.map(|link| format!("{}:{number}: {link}", file.path)));
        }
    }
    none("a relative link points to a file", offences);
}

#[test]
fn documents_that_sources_name_exist() {
    let mut offences = Vec::new();
    for file in sources("", &[".rs", ".toml"]) {
        for (number, line) in file.lines() {
            for (at, _) in line.match_indices(concat!("do", "cs/")) {
                let end = line[at..].find(".md").map_or(at, |length| at + length + ".md".len());
                let name = &line[at..end];
                let is_name = name.chars().all(|c| c.is_ascii_alphanumeric() || "/-_.".contains(c));
                if !name.is_empty() && is_name && !root().join(name).exists() {
                    offences.push(format!("{}:{number}: {name}", file.path));
                }
            }
        }
    }
    none("a message or comment sends the reader to a document that is there", offences);
}

#[test]
fn commands_in_documents_are_commands() {
    let mut offences = Vec::new();
    let mut seen = 0;
    for file in sources("", &[".md"]) {
        for (number, line) in file.lines() {
            // On a line of its own it ends at a comment or where its output goes, in a sentence at the closing backtick.
            let commands =
                line.split("cargo lazymmu ").skip(1).map(|rest| rest.split(['`', '#', '>']).next().unwrap_or(rest));
            for command in commands.filter(|command| command.starts_with(|c: char| c.is_ascii_lowercase() || c == '-'))
            {
                seen += 1;
                let Err(error) = Cli::try_parse_from(["lazymmu"].into_iter().chain(command.split_whitespace())) else {
                    continue;
                };
                // A sentence may speak of a command without all that it needs.
                if !matches!(error.kind(), ErrorKind::MissingRequiredArgument | ErrorKind::DisplayHelp) {
                    let why = error.to_string();
                    offences.push(format!("{}:{number}: {command}: {}", file.path, why.lines().next().unwrap_or("")));
                }
            }
        }
    }
    assert!(seen > 0, "the documents show commands");
    none("what a document tells the reader to type is accepted", offences);
}

#[test]
fn programs_and_snapshots_belong_together() {
    let stem =
        |path: &str, folder: &str, end: &str| path[folder.len()..].strip_suffix(end).map(|s| s.replace('/', "__"));
    let programs = files("snapshots/programs", &[""]);
    let snaps = files("snapshots/snaps", &[""]);
    let known: BTreeMap<_, _> =
        programs.iter().filter_map(|p| Some((stem(p, "snapshots/programs/", ".lmm")?, p.as_str()))).collect();
    let reviewed: BTreeSet<_> = snaps.iter().filter_map(|path| stem(path, "snapshots/snaps/", ".snap")).collect();
    assert!(!known.is_empty() && !reviewed.is_empty(), "there is a collection");
    let tables = GenerationName::ALL.iter().map(|generation| format!("table__{}", generation.name()));
    // These belong to no program: the digests of generated ones, the list of known findings and what they name in the zoo, the
    // zoo's table, and the guards'.
    let others = ["generated__digests", "guards__table", "hides__zoo", "known__list", "zoo__table"].map(str::to_owned);
    let tables: BTreeSet<_> = tables.chain(others).collect();
    let mut offences = Vec::new();
    let odd =
        programs.iter().filter(|path| !path.ends_with(".lmm")).chain(snaps.iter().filter(|p| !p.ends_with(".snap")));
    offences.extend(odd.map(|path| format!("{path}: neither a program nor a snapshot")));
    offences.extend(
        known.iter().filter(|(name, _)| !reviewed.contains(*name)).map(|(_, path)| format!("{path}: no snapshot")),
    );
    offences
        .extend(tables.difference(&reviewed).map(|name| format!("snapshots/snaps/{name}.snap: a table is missing")));
    for name in reviewed.iter().filter(|name| !tables.contains(*name)) {
        // What backends do with a program, what a specimen of the zoo does, and what becomes of that as a finding.
        let specimen = name.strip_prefix("zoo__").and_then(|name| zoo::find(&format!("{}{name}", zoo::PREFIX)));
        let program = ["arch__", "found__"].into_iter().find_map(|prefix| name.strip_prefix(prefix)).unwrap_or(name);
        if specimen.is_none() && !known.contains_key(program) {
            offences.push(format!("snapshots/snaps/{name}.snap: no program"));
        }
    }
    none("every program has its snapshot, every snapshot its program or generation", offences);
}

#[test]
fn every_snapshot_is_reviewed() {
    none("an unreviewed snapshot is left over", files("", &[concat!(".snap.", "new"), concat!(".pending", "-snap")]));
}

#[test]
fn cargos_configuration_says_what_the_command_says() {
    let text = read(".cargo/config.toml");
    let sections = sections(&text);
    let binary = Path::new(env!("CARGO_BIN_EXE_lazymmu")).file_stem().expect("a name").to_string_lossy();
    let alias = format!("\"run --profile {QUICK} --package {} --bin {binary} --\"", env!("CARGO_PKG_NAME"));
    // Whether cargo's own lines are wanted is a matter of taste.
    assert_eq!(sections["alias"]["lazymmu"].replace(" --quiet", ""), alias);
    // Where the project is built most, plain cargo must build natively.
    let foreign: Vec<_> = Target::ALL.into_iter().filter(|target| *target != Target::X86_64).collect();
    for target in &foreign {
        let spec = target.spec();
        let section = &sections[format!("target.{}", spec.triple).as_str()];
        assert_eq!(section["linker"], format!("{:?}", spec.linker.program), "{target}");
        assert_eq!(
            section["runner"],
            format!("[{:?}, \"-L\", {:?}]", spec.emulator.program, spec.libc.sysroot),
            "{target}"
        );
        assert_eq!(section.len(), 2, "{target}: {section:?}");
    }
    let named = sections.keys().filter(|name| name.starts_with("target."));
    assert_eq!(named.count(), foreign.len(), "no target that the command does not know");
}
