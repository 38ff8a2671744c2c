"""`make demo`: seven chapters on real flights, in real Airflow and MLflow."""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from pathlib import Path

from continual.demo.show import Show
from continual.demo.story import CHAPTERS
from continual.demo.world import World
from continual.errors import ContinualError


def main(argv: list[str] | None = None) -> int:
    """Exit code 0: every chapter held. 1: one did not, or something broke. 130: interrupted."""
    args = _arguments(argv)
    _fresh(args.home)
    show = Show()
    try:
        with World(args.home, show.note) as world:
            for number, chapter in enumerate(CHAPTERS, start=1):
                show.announce(number, len(CHAPTERS), chapter)
                if not show.tell(chapter, chapter.play(world), world):
                    break  # the next chapters stand on this one
            show.summary(world)
            if not args.no_serve:
                _serve(show, world)
    except KeyboardInterrupt:
        return 130 if show.open else show.exit_code
    except ContinualError as error:
        show.broke(error)
        return 1
    return show.exit_code


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="make demo ARGS='...'",
        description="Plays a year of flights through the control loop: a model is trained, promoted, blocked, rolled "
        "back and kept out, in Airflow and MLflow on this machine. Everything lives under --home.",
    )
    parser.add_argument("--no-serve", action="store_true", help="end after the story instead of serving the pages")
    parser.add_argument("--home", type=Path, default=Path("var/demo"), help="all state (default: %(default)s)")
    return parser.parse_args(argv)


def _fresh(home: Path) -> None:
    """The story starts from nothing; what was computed from the data package alone is kept."""
    for path in home.iterdir() if home.is_dir() else ():
        if path.name != "cache":
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def _serve(show: Show, world: World) -> None:
    show.serving(world)
    while True:
        time.sleep(1)
        world.stack.check()


if __name__ == "__main__":
    sys.exit(main())
