"""What the scripts that answer questions have in common: the loop, and what was on the line."""

import json
import sys

import harness

#: Octets before an APDU over TCP.
WRAPPER_HEADER = 8


def service_tags(trace):
    """The tags of the requests between opening and release over TCP, each with its answer's."""
    tags = [bytes.fromhex(octets)[WRAPPER_HEADER] for _, octets in trace.take()]
    return sorted(set(zip(tags[2::2], tags[3::2], strict=True)))


def refused(service, *arguments):
    """Why the server refused a service of a driver; None when it did not."""
    try:
        service(*arguments)
    except harness.RefusedError as refusal:
        return refusal.reason
    return None


def answer(functions):
    """Do what each line of standard input asks for, and print what came of it.

    A line is a JSON object: ``what``, the name of a function, and what else it wants to know. The
    answer is one too: what the function returned, or what was raised, with its octets.
    """
    answers, sys.stdout = sys.stdout, sys.stderr  # some peers print
    for line in sys.stdin:
        case = json.loads(line)
        try:
            done = {"returned": harness.jsonable(functions[case["what"]](case))}
        except Exception as error:  # noqa: BLE001 - whatever a peer raises is the answer
            done = {"raised": type(error).__name__, "text": str(error)}
            done["octets"] = getattr(error, "octets", [])
        print(json.dumps(done), file=answers, flush=True)
