"""Guard rails: commands that a profile refuses, those it asks about first, and how long its sessions last at most."""

from __future__ import annotations

import json
import time

import pytest

import awsudo_py
from awsudo_py.resolve.command_patterns import first_fit, normalized
from tests import messages
from tests.screens import terminal
from tests.servers.strict_sts import MfaDevice, StrictSts
from tests.test_answer import waiting
from tests.world import IMPORTS_LISTED, KEY_ID, World

DEV = "arn:aws:iam::111111111111:role/dev"
WHO = ("sh", "-c", "echo as=$AWSUDO_TARGET")


def guarded(world: World, *lines: str) -> None:
    """Let the profile dev have these settings too."""
    world.config(
        f"[profile dev]\nrole_arn = {DEV}\nsource_profile = base\nregion = eu-west-1\n"
        + "".join(f"{line}\n" for line in lines)
    )


def program(world: World, name: str, body: str) -> str:
    """The path of a program that does this."""
    path = world.root / name
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return str(path)


# -- patterns


@pytest.mark.parametrize(
    ("pattern", "line", "fits"),
    [
        ("terraform destroy*", "terraform destroy", True),
        ("terraform destroy*", "terraform destroy -auto-approve", True),
        ("terraform destroy*", "/opt/tf/bin/terraform destroy", True),
        ("/opt/bin/terraform destroy", "terraform destroy x", True),
        ("terraform destroy*", "terraform -chdir=infra destroy", True),
        ("terraform destroy*", "terraform plan", False),
        ("terraform destroy*", "echo terraform destroy", False),
        ("terraform destroy", "terraform destroyer", False),
        ("terraform", "terraform", True),
        ("terraform", "terraform13 plan", False),
        ("aws * delete-*", "aws s3api delete-bucket --bucket b", True),
        ("aws * delete-*", "aws --region eu-west-1 s3api delete-bucket", True),
        ("aws * delete-*", "aws s3api list-buckets", False),
        ("aws * delete-bucket", "aws s3api delete-bucket-policy", False),
        ("*", "anything at all", True),
        ("a*b*a", "ab", False),
        ("sh -c terraform   destroy", "sh -c terraform\n destroy", True),
    ],
)
def test_a_pattern_fits_the_words_that_begin_with_it(pattern: str, line: str, fits: bool) -> None:
    """Whole words, any text for a star, the program by its name, options in between or not."""
    assert (first_fit([normalized(pattern)], line.split(" ")) is not None) == fits


def test_a_long_command_and_a_pattern_of_many_stars_take_no_time() -> None:
    """Each piece is looked for once: a pattern made to backtrack is answered at once."""
    assert first_fit(["a*" * 200 + "b"], ["a", "a" * 100_000]) is None


# -- refused commands


def test_a_command_that_awsudo_deny_names_is_refused_before_any_call(world: World, sts: StrictSts) -> None:
    """Exit code 125, the pattern with its line in the file, no call; every other command runs."""
    guarded(world, "awsudo_deny = sh * forbidden*, printenv")

    refused = world.run("dev", "/bin/sh", "-c", "forbidden")
    served = world.run("--serve", "dev", "printenv")

    assert (refused.code, served.code) == (125, 125)
    assert "profile dev does not allow this command: /bin/sh -c forbidden" in refused.err
    assert "awsudo_deny has 'sh * forbidden*'" in refused.err and "line 5" in refused.err
    assert sts.calls == []
    assert world.run("dev", *WHO).out == "as=dev\n"


@pytest.mark.parametrize("setting", ["awsudo_deny = printenv*, env", "awsudo_confirm = printenv*, env"])
def test_a_hit_is_never_replayed_past_a_rail(world: World, sts: StrictSts, setting: str) -> None:
    """What no pattern fits is replayed as ever; what one fits is refused, though the session is at hand."""
    guarded(world, setting)
    world.settle()
    assert world.run("dev", "true").code == 0

    free = world.run("dev", "true", prefix=IMPORTS_LISTED)
    refused = [world.run("dev", *words) for words in (("env",), ("/usr/bin/printenv", "PATH"))]

    assert free.code == 0 and free.replayed
    assert "awsudo_py.resolve.command_patterns" in free.err and "awsudo_py.resolve.rails" not in free.err
    assert [(each.code, each.out) for each in refused] == [(125, "")] * 2


def test_a_role_by_its_arn_has_the_rails_of_the_profiles_that_mean_it(world: World) -> None:
    """`-p base ACCOUNT:dev` does not get around the rails of the profile dev; another role has no rails."""
    guarded(world, "awsudo_deny = true")

    refused = world.run("-p", "base", "111111111111:dev", "true")

    assert refused.code == 125 and "profile dev does not allow this command: true" in refused.err


# -- confirmation


def test_a_confirmation_shows_the_run_and_accepts_the_account_name(world: World, sts: StrictSts) -> None:
    """Role, account, Region, description and command, in colour; nothing is called before the name is typed."""
    guarded(
        world,
        "awsudo_confirm = true",
        "awsudo_account_name = prod-data",
        "awsudo_color = red",
        "awsudo_description = PRODUCTION",
    )

    with terminal(world, "dev", *WHO, env={"TERM": "xterm"}) as requested:
        requested.expect_exact("Type prod-data (the account) to continue, or press Enter to stop: ")
        before, calls = requested.before, len(sts.calls)
        requested.sendline("prod-data")
        code, output, _ = requested.ended()

    assert "dev in 111111111111 (prod-data), eu-west-1" in before
    assert "\x1b[1;97;41m PRODUCTION \x1b[0m" in before
    assert "sh -c 'echo as=$AWSUDO_TARGET'" in before and "in ~" in before
    assert calls == 0
    assert code == 0 and "as=dev" in output


@pytest.mark.parametrize("answer", ["", "y", "yes", "de"])
def test_any_other_answer_runs_nothing(world: World, sts: StrictSts, answer: str) -> None:
    """Without a name for the account the target's own is typed; Enter, y or half of it stops the run."""
    guarded(world, "awsudo_confirm = sh*")

    with terminal(world, "dev", *WHO) as requested:
        requested.expect_exact("Type dev (the target) to continue")
        requested.sendline(answer)
        code, output, _ = requested.ended()

    assert code == 125 and messages.NOT_CONFIRMED in output and "as=dev" not in output
    assert sts.calls == []


def test_each_run_is_confirmed_again(world: World) -> None:
    """A confirmation is for one run: the session that it led to is not used without the next."""
    guarded(world, "awsudo_confirm = true")
    world.settle()
    with terminal(world, "dev", "true") as requested:
        requested.expect_exact("to continue")
        requested.sendline("dev")
        assert requested.ended().code == 0

    again = world.run("dev", "true")

    assert again.code == 125 and "must be confirmed on a terminal, and there is none: true" in again.err


@pytest.mark.parametrize(
    "words",
    [
        ("dev", "true"),
        ("exec", "dev", "true"),
        ("--serve", "dev", "true"),
        ("export", "dev"),
        ("export", "dev", "--process"),
        ("serve", "dev"),
        ("console", "dev", "--print"),
        ("each", "dev", "--", "true"),
    ],
)
def test_without_a_terminal_nothing_is_handed_over(world: World, sts: StrictSts, words: tuple[str, ...]) -> None:
    """Every way to the session of a profile with awsudo_confirm = true asks first, and is refused if it cannot."""
    guarded(world, "awsudo_confirm = true")

    done = world.run(*words)

    assert (done.code, done.out) == (125, ""), done.err
    assert "profile dev must be confirmed on a terminal, and there is none" in done.err
    assert "awsudo_confirm_scripts = allow" in done.err
    assert sts.calls == []


def test_looking_at_a_target_asks_nothing(world: World) -> None:
    """Whoami, explain and list hand no session over."""
    guarded(world, "awsudo_confirm = true")

    assert [world.run(*words).code for words in (("whoami", "dev"), ("explain", "dev"), ("list",))] == [0, 0, 0]


def test_yes_confirms_only_where_the_profile_lets_scripts(world: World, sts: StrictSts) -> None:
    """--yes is refused with the setting that decides; with awsudo_confirm_scripts = allow it is the answer."""
    guarded(world, "awsudo_confirm = true")
    refused = world.run("--yes", "dev", "true")
    calls = len(sts.calls)
    guarded(world, "awsudo_confirm = true", "awsudo_confirm_scripts = allow")

    without = world.run("dev", "true")
    allowed = [
        world.run("--yes", "dev", *WHO),
        world.run("export", "--yes", "dev"),
        world.run("each", "--yes", "dev", "--", *WHO),
    ]

    assert refused.code == 125 and f"profile dev {messages.CONFIRMED_ON_A_TERMINAL}" in refused.err
    assert calls == 0
    assert without.code == 125 and "awsudo --yes dev true" in without.err
    assert [each.code for each in allowed] == [0, 0, 0], allowed
    assert allowed[0].out == "as=dev\n"


def test_a_confirmed_run_is_replayed_and_still_in_the_journal(world: World, sts: StrictSts) -> None:
    """Without click and the resolver; each has its line, with caller and reason, as if the full path had run."""
    guarded(world, "awsudo_confirm = true", "awsudo_confirm_scripts = allow", "awsudo_deny = printenv")
    world.settle()
    words = ("--yes", "--reason", "ticket 7", "dev")

    first, second = world.run(*words, *WHO), world.run(*words, *WHO, prefix=IMPORTS_LISTED)
    denied = world.run(*words, "printenv")
    unconfirmed = world.run("--reason", "ticket 7", "dev", *WHO)

    assert (first.out, second.out) == ("as=dev\n", "as=dev\n") and second.replayed
    called, cached = (
        {name: value for name, value in line.items() if name != "time"}
        for line in json.loads(world.run("history", "--json").out)
    )
    assert {called["how"], cached["how"]} == {"call", "cache"}
    assert {**called, "how": ""} == {**cached, "how": ""} and called["reason"] == "ticket 7"
    assert (denied.code, denied.out) == (125, "") and "does not allow this command" in denied.err
    assert (unconfirmed.code, unconfirmed.out) == (125, "") and "must be confirmed on a terminal" in unconfirmed.err


@pytest.mark.parametrize(
    "setting", ["awsudo_confirm = sh", "awsudo_confirm = true", "awsudo_confirm = sh\nawsudo_deny = x"]
)
def test_a_replay_with_yes_ends_with_the_setting_that_lets_scripts(world: World, sts: StrictSts, setting: str) -> None:
    """A change of the profile counts at once, however often --yes was accepted before."""
    guarded(world, setting, "awsudo_confirm_scripts = allow")
    world.settle()
    assert [world.run("--yes", "dev", *WHO).code for _ in range(2)] == [0, 0]
    guarded(world, setting)

    refused = [world.run("--yes", "dev", *WHO), world.run("--yes", "-p", "base", DEV, *WHO)]

    assert [(each.code, each.out) for each in refused] == [(125, "")] * 2
    assert f"profile dev {messages.CONFIRMED_ON_A_TERMINAL}" in refused[0].err


def test_a_replay_with_yes_stops_where_yes_is_not_accepted(world: World, sts: StrictSts) -> None:
    """A command that needs no confirmation is replayed; one that does is refused, with the same words before it."""
    guarded(world, "awsudo_confirm = sh")
    world.settle()
    free = [world.run("--yes", "dev", "true", prefix=IMPORTS_LISTED) for _ in range(2)]

    refused = world.run("--yes", "dev", *WHO)

    assert [each.replayed for each in free] == [False, True]
    assert (refused.code, refused.out) == (125, "") and messages.CONFIRMED_ON_A_TERMINAL in refused.err


@pytest.mark.parametrize("strict", ["first", "second"])
def test_a_profile_that_lets_scripts_answers_for_no_other(world: World, sts: StrictSts, strict: str) -> None:
    """Two profiles have the role, and one of them wants a terminal: --yes is refused, first in the file or not."""
    lines = {"first": "awsudo_confirm = true\n", "second": "awsudo_confirm = sh\n"}
    other = "second" if strict == "first" else "first"
    lines[other] += "awsudo_confirm_scripts = allow\n"
    world.config("".join(f"[profile {name}]\nrole_arn = {DEV}\nsource_profile = base\n{lines[name]}" for name in lines))
    world.settle()

    allowed = world.run("--yes", other, "true")
    refused = [world.run("--yes", "-p", "base", DEV, *WHO) for _ in range(2)]

    assert allowed.code == 0, allowed.err
    assert [(each.code, each.out) for each in refused] == [(125, "")] * 2
    assert f"profile {strict} {messages.CONFIRMED_ON_A_TERMINAL}" in refused[0].err


# -- a program that asks


def test_a_program_asks_where_there_is_no_terminal(world: World, sts: StrictSts) -> None:
    """AWSUDO_ASKPASS gets what a terminal would show as its argument, and its first line is the answer."""
    guarded(world, "awsudo_confirm = true", "awsudo_description = LIVE\x1b[2J")
    note = world.root / "note"
    right, wrong, none = (
        program(world, name, body)
        for name, body in (
            ("right", f'printf "%s" "$1" >"{note}"; read -r _ && exit 9; echo dev'),
            ("wrong", "echo yes"),
            ("none", "exit 1"),
        )
    )

    refused = [world.run("dev", *WHO, env={"AWSUDO_ASKPASS": each}) for each in (wrong, none, f"{wrong}/x", "")]
    calls = len(sts.calls)
    done = world.run("dev", *WHO, env={"AWSUDO_ASKPASS": right}, stdin="the command's\n")

    assert [each.code for each in refused] == [125] * 4 and calls == 0
    assert messages.NOT_CONFIRMED in refused[0].err
    assert f"no answer from {none}: exit code 1" in refused[1].err
    assert f"cannot run {wrong}/x" in refused[2].err
    assert (done.code, done.out) == (0, "as=dev\n")
    question = note.read_text()
    assert "dev in 111111111111, eu-west-1" in question and "Type dev (the target) to continue" in question
    assert "\x1b" not in question


def test_a_program_returns_the_mfa_code_and_is_not_run_forever(world: World, sts: StrictSts) -> None:
    """The code of a program serves as one that was typed; one that never has a code ends the run."""
    phone = sts.add_mfa("alice", "arn:aws:iam::111111111111:mfa/phone")
    world.env["AWSUDO_MFA_SERIAL"] = phone.serial
    count = world.root / "count"
    useless = program(world, "useless", f'echo x >>"{count}"; echo no')

    refused = world.run("dev", "true", env={"AWSUDO_ASKPASS": useless})
    done = world.run("dev", "true", env={"AWSUDO_ASKPASS": program(world, "phone", f"echo {phone.code()}")})

    assert refused.code == 125 and "no usable MFA code in 10 answers" in refused.err
    assert count.read_text().count("x") == 10
    assert done.code == 0, done.err


# -- each


# -- awsudo_confirm = mfa


def guarded_by_code(world: World, sts: StrictSts, *lines: str) -> MfaDevice:
    """Let each run as dev need a code of alice's device, which the role's trust policy requires too."""
    phone = sts.add_mfa("alice", "arn:aws:iam::111111111111:mfa/phone")
    sts.add_role(DEV, mfa_required=True)
    guarded(world, f"mfa_serial = {phone.serial}", "awsudo_confirm = mfa", "awsudo_account_name = payments", *lines)
    return phone


def test_a_code_confirms_one_run_and_no_other(world: World, sts: StrictSts) -> None:
    """The code goes with that AssumeRole; its session is in no cache, so the next run needs a code too."""
    phone = guarded_by_code(world, sts)

    first = world.run("--mfa-code", phone.code(), "dev", *KEY_ID)
    second = world.run("--mfa-code", phone.code(time.time() + 30), "dev", *KEY_ID)
    without = world.run("dev", *KEY_ID)

    assert first.key_id != second.key_id
    codes = [call.params["TokenCode"] for call in sts.calls if call.action == "AssumeRole"]
    assert len(set(codes)) == len(codes) == 2 and sts.count("GetSessionToken") == 0
    assert (without.code, without.out) == (125, "") and "MFA code of" in without.err
    assert "the session is cached" not in without.err  # the hint of other prompts: it would not help here
    assert not world.entries() and not world.entries("replay")


def test_the_prompt_for_the_code_shows_what_it_confirms(world: World, sts: StrictSts) -> None:
    """Account, role and command are above the prompt, as above any confirmation; a wrong code prompts again."""
    phone = guarded_by_code(world, sts)
    with terminal(world, "dev", *WHO) as spawned:
        spawned.expect_exact("MFA code of")
        above = spawned.before
        spawned.sendline("000000")
        spawned.expect_exact(messages.THAT_CODE_REFUSED)
        spawned.expect_exact("MFA code of")
        spawned.sendline(phone.code())
        code, output, _ = spawned.ended()

    assert "dev in 111111111111 (payments), eu-west-1" in above and "sh -c" in above
    assert code == 0 and "as=dev" in output


def test_a_session_from_before_the_rail_is_not_used(world: World, sts: StrictSts) -> None:
    """Whatever the cache and the replay records hold: without a code there is no session."""
    phone = guarded_by_code(world, sts)
    guarded(world, f"mfa_serial = {phone.serial}", "mfa_per_role = true")
    world.settle()
    assert world.run("--mfa-code", phone.code(), "dev", "true").code == 0
    assert world.run("dev", "true").code == 0
    guarded(world, f"mfa_serial = {phone.serial}", "awsudo_confirm = mfa", "awsudo_confirm_scripts = allow")

    for words in (
        ("dev", "true"),
        ("-p", "base", DEV, "true"),
        ("export", "dev", "--format", "json"),
        ("--yes", "dev", "true"),
    ):
        assert world.run(*words).code == 125, words


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        (("source_profile = base",), "no MFA device is configured"),
        (("source_profile = middle", "mfa_serial = arn:aws:iam::111111111111:mfa/phone"), "AWS accepts no code there"),
    ],
    ids=["no device", "chained role"],
)
def test_where_no_code_can_reach_the_call_nothing_runs(
    world: World, sts: StrictSts, lines: tuple[str, ...], why: str
) -> None:
    """A confirmation that is impossible is an error, not a session without one."""
    world.config(
        f"[profile dev]\nrole_arn = {DEV}\nawsudo_confirm = mfa\n"
        + "".join(f"{line}\n" for line in lines)
        + "[profile middle]\nrole_arn = arn:aws:iam::111111111111:role/middle\nsource_profile = base\n"
    )

    done = world.run("dev", "true")

    assert (done.code, sts.calls) == (125, [])
    assert "awsudo_confirm = mfa of profile dev" in done.err and why in done.err


def test_the_library_gets_the_code_from_its_prompt(
    world: World, sts: StrictSts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each session needs a code there too; without a prompt there is no session."""
    phone = guarded_by_code(world, sts)
    for name, value in world.environ().items():
        monkeypatch.setenv(name, value)
    codes = iter((phone.code(), phone.code(time.time() + 30)))

    found = [awsudo_py.credentials("dev", prompt=lambda _: next(codes)).access_key_id for _ in range(2)]
    with pytest.raises(awsudo_py.AwsudoError, match="cannot prompt for MFA code"):
        awsudo_py.credentials("dev")

    assert len(set(found)) == 2 and sts.count("AssumeRole", ok=True) == 2


def test_a_fleet_leaves_targets_with_a_code_to_single_runs(world: World, sts: StrictSts) -> None:
    """One code serves one call, so `each` names the target, and how to leave it out."""
    guarded_by_code(world, sts)

    done = world.run("each", "dev", "--", "true")

    assert done.code == 125 and "target dev needs an MFA code for each run" in done.err and "'!dev'" in done.err


def test_a_code_for_a_run_is_given_on_another_terminal(world: World, sts: StrictSts) -> None:
    """`awsudo answer` shows the command, and sends the code to that run."""
    phone = guarded_by_code(world, sts)
    with waiting(world, "dev", *WHO) as run:
        (question,) = json.loads(world.run("answer", "--json").out)
        with terminal(world, "answer") as spawned:
            spawned.expect_exact("MFA code of")
            spawned.sendline(phone.code())
            spawned.ended()
        out, err = run.communicate(timeout=30)

    assert (run.returncode, out) == (0, "as=dev\n"), err
    assert question["kind"] == "MFA code" and any("payments" in line for line in question["about"])


# -- many targets


def test_a_fleet_asks_once_and_lists_the_targets_that_ask(world: World, sts: StrictSts) -> None:
    """One question for all, answered with their number; a target that refuses the command ends the run before it."""
    profile = "[profile {0}]\nrole_arn = arn:aws:iam::111111111111:role/{0}\nsource_profile = base\n"
    for name in ("a", "b", "c"):
        sts.add_role(f"arn:aws:iam::111111111111:role/{name}")
    texts = [profile.format(name) for name in ("a", "b", "c")]
    world.config(texts[0] + "awsudo_confirm = true\n" + texts[1] + "awsudo_confirm = sh\n" + texts[2])

    with terminal(world, "each", "--all", "--no-merge", "--", *WHO) as requested:
        requested.expect_exact("Type 2 (the number of targets) to continue")
        before, calls = requested.before, len(sts.calls)
        requested.sendline("2")
        code, output, _ = requested.ended()
    world.config(texts[0] + texts[1] + texts[2] + "awsudo_deny = sh\n")
    refused = world.run("each", "--all", "--", *WHO)

    assert "2 of 3 targets must be confirmed" in before and "a in 111111111111" in before and calls == 0
    assert code == 0 and all(f"as={name}" in output for name in "abc")
    assert refused.code == 125 and refused.out == "" and "profile c does not allow this command" in refused.err


# -- durations


def test_no_session_lasts_longer_than_awsudo_max_duration(world: World, sts: StrictSts) -> None:
    """A role's session is asked for no longer than that; an option that wants more is refused."""
    guarded(world, "awsudo_max_duration = 30m", "duration_seconds = 7200")

    done, refused = world.run("dev", "true"), world.run("-d", "1h", "dev", "true")

    assert done.code == 0, done.err
    assert [call.params["DurationSeconds"] for call in sts.calls] == ["1800"]
    assert refused.code != 0 and "--duration: 3600 s is more than profile dev allows, 1800 s" in refused.err
    assert world.run("-d", "15m", "dev", "true").code == 0
    assert sts.calls[-1].params["DurationSeconds"] == "900"


# -- slips


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("awsudo_confirm = 'terraform apply'", messages.REMOVE_QUOTES),
        ("awsudo_confirm = true # prod", "put the comment on its own line"),
        ("awsudo_confirm =", messages.NO_PATTERN),
        ("awsudo_deny = ,", messages.NO_PATTERN),
        ("awsudo_deny = true\nawsudo_confirm_scripts = yes", "'yes' is neither allow nor refuse"),
        ("awsudo_max_duration = long", "invalid duration 'long'"),
    ],
)
def test_a_rail_that_cannot_be_read_stops_the_run(world: World, sts: StrictSts, line: str, why: str) -> None:
    """A slip does not take the rail away: an error names the setting and its line."""
    guarded(world, line)

    done = world.run("dev", "true")

    assert done.code == 125 and why in done.err and "of profile dev" in done.err and "line" in done.err, done.err
    assert sts.calls == []
