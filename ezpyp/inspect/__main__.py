"""The command line: ``python -m ezpyp.inspect CACHE [VERB]``."""

import io
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from ezpyp.inspect.command import PROGRAM, CommandError, exit_code
from ezpyp.inspect.output import has_colours

# The first sentence of each verb's help, so that the help of all need not import them.
GROUPS = {
    "What happened": {
        "runs": "Every run: when, how long, how it ended",
        "steps": "Steps: what became of each, how long it took, its result",
        "show": "Everything about one step",
        "log": "What a step said, and its traceback; or those of all that failed",
        "timeline": "Which rank did what when, and how well they were used",
    },
    "Why": {
        "why": "What made a step run, or fail, or be cached",
        "diff": "What changed between two revisions, by cause",
        "lineage": "What a step was made from, and what was made from it",
        "graph": "What needs what, coloured by status",
    },
    "The store": {
        "get": "Write the stored bytes of a result to a file",
        "verify": "Check every row, object and digest",
        "du": "What takes the space, by function, step, phase or revision",
        "sql": "Any question in SQL; it can only read",
        "trust": "Allow loading results of a folder of somebody else",
    },
}
# Verbs that share the file of another one.
HOMES = {"runs": "overview", "trust": "verify"}
VERBS = {verb for verbs in GROUPS.values() for verb in verbs}


class Verbs(click.Group):
    """The verbs, each imported when it is called: 14 modules would cost a script 30 ms at every question."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Names of the verbs, in order of the help."""
        return [verb for verbs in GROUPS.values() for verb in verbs]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The verb of that name."""
        if cmd_name.startswith("-"):
            return None  # click says that there is no such option
        if cmd_name not in VERBS:
            raise click.UsageError(f"no verb {cmd_name!r}; there are {', '.join(self.list_commands(ctx))}", ctx)
        module = import_module(f"ezpyp.inspect.verbs.{HOMES.get(cmd_name, cmd_name)}")
        command: click.Command = getattr(module, cmd_name)
        return command

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """``VERB --help`` works without a cache."""
        if len(args) > 1 and args[0] in VERBS and args[1] in ctx.help_option_names:
            args = [".", *args]
        # A group's options stand before its argument; the one of the overview is typed behind CACHE, as a verb's is.
        if len(args) > 2 and args[1] == "--format":
            args = [*args[1:3], args[0], *args[3:]]
        return super().parse_args(ctx, args)

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """One line a verb, by what one wants to know; a screen of 24 lines holds all of it."""
        self.format_usage(ctx, formatter)
        formatter.write("\n")
        formatter.write(f"{self.help}\n\n")
        for title, verbs in GROUPS.items():
            formatter.write(f"{title}:\n")
            for verb, summary in verbs.items():
                formatter.write(f"  {verb:<8}  {summary}\n")
        formatter.write(f"{self.epilog}\n")

    def main(self, args: Sequence[str] | None = None, prog_name: str | None = None, *_: Any, **options: Any) -> Any:
        """Run a verb and exit; click itself writes four lines for a wrong word, and exits with 1 on Ctrl-C."""
        arguments = list(sys.argv[1:] if args is None else args)

        def run() -> None:
            colour = None if has_colours() else False
            with self.make_context(prog_name or PROGRAM, arguments, color=colour, **options) as ctx:
                self.invoke(ctx)

        sys.exit(exit_code(run))


@click.command(
    cls=Verbs,
    invoke_without_command=True,
    options_metavar="",
    subcommand_metavar="[--format json | VERB [OPTIONS]]",
    epilog="Exit code: 0 fine, 1 a problem found, 2 wrong use or no cache. More: VERB --help\n"
    "Example:\n  python -m ezpyp.inspect cache steps --status failed",
)
@click.argument("cache")
@click.option("--format", "form", type=click.Choice(["text", "json"]), help="Of the overview.")
@click.pass_context
def cli(ctx: click.Context, cache: str, form: str | None) -> None:
    """Ask the cache in folder CACHE; without a VERB, about its last run. Read-only."""
    ctx.obj = _folder(cache)
    verb = ctx.invoked_subcommand
    if verb is None:
        from ezpyp.inspect.command import open_reader
        from ezpyp.inspect.verbs.overview import overview

        overview(open_reader(ctx), form or "text")
    elif form is not None:
        raise CommandError(f"give --format {form} behind the verb: {PROGRAM} CACHE {verb} --format {form}")


def _folder(cache: str) -> str:
    """The folder, where it can be one."""
    if cache in VERBS and not Path(cache).exists():
        raise CommandError(f"give the folder of the cache before the verb: {PROGRAM} CACHE {cache}")
    try:
        return str(Path(cache).absolute())
    except FileNotFoundError:
        raise CommandError(f"the working directory is gone, and {cache!r} with it: cd to where it is") from None


def main() -> None:
    """Run the command line."""
    for stream in (sys.stdout, sys.stderr):
        # An ASCII terminal must not turn a name into a traceback.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    cli.main()


if __name__ == "__main__":
    main()
