//! The sources of the core crate against the checks that every source must pass.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod files;
mod memory;

mod memory_source {
    nextedge_testkit::source_conformance!(crate::memory::Harness { finite: false });
}

mod finite_memory_source {
    nextedge_testkit::source_conformance!(crate::memory::Harness { finite: true });
}

mod folder_of_mails {
    nextedge_testkit::source_conformance!(crate::files::Harness::Folder);
}

mod maildir {
    nextedge_testkit::source_conformance!(crate::files::Harness::Maildir);
}
