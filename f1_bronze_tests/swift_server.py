"""OpenStack Swift with its S3 API in one process: proxy, account, container and object server.

Run as a program with a folder for its data, by a Python that has swift; its first line has the
port. Imported by nobody: eventlet changes the whole process that imports it.
"""

import importlib
import json
import logging
import sys
from pathlib import Path

# user test:tester may do everything in the account, test:reader nothing
LOGINS = {"user_test_tester": "testing .admin", "user_test_reader": "reading"}
PIPELINE = ("catch_errors", "gatekeeper", "listing_formats", "s3api.s3api", "tempauth")
SWIFT_CONF = """\
[swift-hash]
swift_hash_path_suffix = tests
[storage-policy:0]
name = one
default = yes
"""


def main(folder: Path) -> None:
    """Serve until ended; objects are kept in memory, listings below the folder."""
    import eventlet

    eventlet.monkey_patch()
    from eventlet import wsgi
    from swift.common import utils
    from swift.common.ring import RingBuilder
    from swift.common.storage_policy import reload_storage_policies

    (folder / "swift.conf").write_text(SWIFT_CONF)
    utils.set_swift_dir(str(folder))
    reload_storage_policies()
    (folder / "disks" / "d1").mkdir(parents=True)
    conf = {"devices": str(folder / "disks"), "mount_check": "false", "swift_dir": str(folder)}

    from swift.account.server import AccountController
    from swift.container.server import ContainerController
    from swift.obj.mem_server import ObjectController

    kinds = {
        "account": AccountController,
        "container": ContainerController,
        "object": ObjectController,
    }
    for name, controller in kinds.items():
        listener = eventlet.listen(("127.0.0.1", 0))
        where = {"ip": "127.0.0.1", "port": listener.getsockname()[1], "device": "d1"}
        builder = RingBuilder(1, 1, 0)  # 2 partitions, 1 copy
        builder.add_dev({"id": 0, "region": 1, "zone": 1, "weight": 1, "meta": "", **where})
        builder.rebalance()
        builder.get_ring().save(str(folder / f"{name}.ring.gz"))
        log = logging.getLogger(name)
        eventlet.spawn(wsgi.server, listener, controller(conf), log, log_output=False)

    from swift.proxy.server import Application

    app = Application({"swift_dir": str(folder), "account_autocreate": "true"})
    options = {"tempauth": LOGINS, "s3api.s3api": {"location": "us-east-1"}}
    for name in reversed(PIPELINE):
        middleware = importlib.import_module(f"swift.common.middleware.{name}")
        app = middleware.filter_factory({}, **options.get(name, {}))(app)
    listener = eventlet.listen(("127.0.0.1", 0))
    sys.stdout.write(json.dumps({"port": listener.getsockname()[1]}) + "\n")
    sys.stdout.flush()
    wsgi.server(listener, app, logging.getLogger("proxy"), log_output=False)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
