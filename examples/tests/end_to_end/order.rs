//! The order of a thread is the order of reception, whatever the boxes look like.

use std::fs;

use crate::support::{Bench, ORDERS, mail, write_mails};

/// A thread of `count` mails, one a minute; the later ones are replies.
fn thread(count: u32) -> Vec<String> {
    let one = |n: u32| {
        let (id, from) = (format!("m{n}@firm.example"), "ann@firm.example");
        match n {
            0 => mail(&id, n, from, "Order 1"),
            _ => {
                let head = "References: <m0@firm.example>\r\nIn-Reply-To: <m0@firm.example>\r\n";
                let reply = mail(&id, n, from, "Re: Order 1");
                reply.replacen("MIME-Version", &format!("{head}MIME-Version"), 1)
            }
        }
    };
    (0..count).map(one).collect()
}

fn assert_in_order(bench: &Bench, count: u32) {
    assert_eq!(bench.crm.count("tickets"), 1);
    // records are listed in the order in which they were created
    let mails = bench.crm.records("emails");
    let ids: Vec<&str> = mails
        .iter()
        .map(|mail| mail["properties"]["hs_email_message_id"].as_str().unwrap())
        .collect();
    let expected: Vec<String> = (0..count).map(|n| format!("m{n}@firm.example")).collect();
    assert_eq!(ids, expected);
}

#[test]
fn a_shuffled_mbox_is_written_in_the_order_of_reception() {
    let mut mails = thread(9);
    mails.reverse();
    mails.swap(1, 6);
    mails.swap(0, 4);
    let mut mbox = String::new();
    for mail in &mails {
        mbox.push_str("From ann@firm.example Mon Nov  9 06:00:00 2026\r\n");
        mbox.push_str(mail);
        mbox.push_str("\r\n");
    }
    let bench = Bench::of(&[], ORDERS);
    fs::write(bench.path("inbox/all.mbox"), mbox).unwrap();
    bench.run(&[]).assert_all_delivered(9);
    assert_in_order(&bench, 9);
}

#[test]
fn one_thread_seen_in_two_mailboxes_is_written_once_and_in_order() {
    let other_route = |mail: &String| format!("X-Folder: Team\r\n{mail}");
    let mails = thread(6);
    let bench = Bench::of(&mails[..4], ORDERS);
    let second: Vec<String> = mails[1..].iter().map(other_route).collect();
    write_mails(&bench.path("second"), &second);
    let run = bench.run(&[bench.path("second").to_str().unwrap()]);
    assert_eq!((run.code, run.rows.len()), (0, 9), "{}", run.stderr);
    assert_eq!((run.count("delivered"), run.count("parked")), (6, 3));
    let parked = run.rows.iter().filter(|row| row["outcome"] == "parked");
    for row in parked {
        let reason = row["reason"].as_str().unwrap();
        assert!(reason.starts_with("duplicate_of:"), "{reason}");
    }
    assert_in_order(&bench, 6);
}
