"""f1-bronze simulate: the OpenF1 simulator as a server."""

import json
import threading
from pathlib import Path

import click

from f1_bronze.cli.options import as_json_option


@click.command()
@click.option(
    "--host", default="127.0.0.1", help="Address to bind; 0.0.0.0 lets other containers in."
)
@click.option("--port", type=click.IntRange(0, 65535), default=8000, help="0 takes a free one.")
@click.option(
    "--data",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Serve recorded answers: <endpoint>/<session_key or year>.json below this folder.",
)
@click.option("--seed", type=int, default=1, help="Another seed invents other seasons.")
@click.option("--limits", default="3/1s,30/60s", help="Call limits, or none.")
@click.option("--latency", type=click.FloatRange(min=0), default=0.0, help="Seconds per answer.")
@click.option("--live", is_flag=True, help="Closed, as around a live session.")
@click.option("--fault", "faults", multiple=True, help="A fault as JSON; repeatable. See docs.")
@as_json_option
def simulate(
    host: str,
    port: int,
    data: Path | None,
    seed: int,
    limits: str,
    latency: float,
    live: bool,
    faults: tuple[str, ...],
    as_json: bool,
) -> None:
    """Serve the OpenF1 simulator, on 127.0.0.1 unless --host says otherwise, until interrupted."""
    from f1_bronze.simulator.behaviour import Behaviour
    from f1_bronze.simulator.faults import InjectedFault
    from f1_bronze.simulator.invented import InventedSeasons
    from f1_bronze.simulator.server import Simulator
    from f1_bronze.simulator.sources import RecordedSeasons

    try:
        simulator = Simulator(
            RecordedSeasons(data) if data else InventedSeasons(seed=seed),
            behaviour=Behaviour(
                limits=None if limits == "none" else limits, latency_seconds=latency, live=live
            ),
            host=host,
            port=port,
        )
        if faults:
            simulator.control.set_faults(
                [InjectedFault.from_json(json.loads(text)) for text in faults]
            )
        simulator.start()
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    except OSError as error:
        raise click.UsageError(
            f"{host}, port {port} cannot be used ({error.strerror}). "
            "Choose others with --host and --port; port 0 takes a free one."
        ) from error
    if as_json:
        click.echo(json.dumps({"url": simulator.url, "control": f"{simulator.root_url}/_control"}))
    else:
        click.echo(f"OpenF1 simulator at {simulator.url}")
        click.echo(f"Use it: export F1_BRONZE_OPENF1_URL={simulator.url}")
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        simulator.stop()
