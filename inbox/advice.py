"""What a person can do about a file that failed, and why a file waits for a person."""

from __future__ import annotations

from collections.abc import Mapping

# By error code: one sentence that says what to do.
REMEDIES: Mapping[str, str] = {
    "unsupported_type": "Save it as PDF or another of the formats that are read, and send it "
    "again.",
    "corrupt_file": "Open it in the program that made it, save it anew and send it again.",
    "encrypted_file": "Its password goes with it: on the page below “Labels of your own, locked "
    "files”, on the command line as --password.",
    "empty_file": "The file holds nothing; look for the one that was meant.",
    "type_mismatch": "Its name claims another format than it is; rename it, or look for the "
    "right file.",
    "decompression_bomb": "It is built to swell when it is opened; do not open it, and ask who "
    "sent it.",
    "xml_dtd_forbidden": "It declares a document type, which is not allowed; save it without.",
    "too_many_pages": "Split it into parts and send those, or raise INBOX_MAX_PAGES.",
    "read_timeout": "Split it into parts, or raise INBOX_FILE_TIMEOUT_SECONDS and try again.",
    "reader_crashed": "Print it to a new PDF and send that, or raise INBOX_FILE_MEMORY_BYTES and "
    "try again.",
    "crashed_worker_twice": "Two workers died of it; read it alone with `inbox read`.",
    "truncated_file": "Its end is missing; send the whole file again.",
    "too_many_entries": "Take the files out of it and send them in several jobs.",
    "container_too_large": "Take the files out of it and send them in several jobs.",
    "too_deep": "Take the files out of it and send them by themselves.",
    "not_unpacked": "Take it out of its container yourself and send it by itself.",
    "unsupported_language": "Choose a language that is installed, or put its data into "
    "INBOX_TESSDATA_DIR.",
    "unsupported_output": "Choose another form; this one cannot be made of this file.",
    "blob_missing": "Its bytes are gone from the blob store; send it again.",
    "blob_corrupt": "Its bytes were changed in the blob store; send it again.",
    "model_refused": "The model would not answer; label it by hand, or try again with another.",
    "model_answer_invalid": "The model's answer made no sense; try again, or label it by hand.",
    "model_rejected": "Mend the model's key, name or quota (`inbox doctor --model`), then try "
    "again.",
    "model_unavailable": "The model's server was away; try again.",
    "model_away": "The model's server was away; try again.",
    "budget_exceeded": "The job's budget is used up; raise it, or label the file by hand.",
    "blobs_unavailable": "The blob store was away; try again.",
    "store_unavailable": "The database was away; try again.",
    "no_space": "The disk is full; make room, then try again.",
    "never_started": "No run came as far as this job; its runs' logs in Prefect say why.",
    "configuration": "Mend what `inbox doctor` complains of, then try again.",
    "secret_key_missing": "Set INBOX_SECRET_KEY, the same where jobs are taken in and worked "
    "on, and send it again.",
    "internal": "This is a fault of ours; the worker's log says more.",
}
ANYTHING_ELSE = "Try again; if it fails once more, the worker's log says why."

# By review reason: what a person should look at.
REASONS: Mapping[str, str] = {
    "no_text": "No text was found.",
    "unreadable_pages": "Some pages could not be read.",
    "little_text": "There are few words to go by.",
    "garbled_text": "The text is garbled.",
    "low_confidence": "The label is little more than a guess.",
    "no_evidence": "Nothing in it was found that speaks for the label.",
    "invented_quote": "The model quoted what does not stand there.",
    "second_opinion_differs": "The model and the word list disagree.",
    "hidden_text": "It holds text that people do not see.",
    "instructions_in_text": "The text gives orders to whoever reads it.",
}


def remedy(code: str) -> str:
    """One sentence on what to do about an error."""
    return REMEDIES.get(code, ANYTHING_ELSE)
