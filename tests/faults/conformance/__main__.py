"""``python -m tests.faults.conformance``: the adapter on a scratch database, until Ctrl-C, for the kit's own runner.

lck run --adapter http://127.0.0.1:PORT --capabilities HASH_CHAIN,OVERDRAFT_GUARD,COMPENSATION,REPLAY
"""

import sys
from contextlib import suppress

from pydantic import SecretStr
from werkzeug.serving import make_server

from launcher.ports import HOST
from tests.faults.conformance.adapter import AdapterSettings, create_app
from tests.support import databases, servers


def main() -> None:
    with servers.started() as running, suppress(KeyboardInterrupt):
        url = databases.owner_url(running, "balance", databases.create(running, "balance"))
        app = create_app(AdapterSettings(lck_database_url=SecretStr(url)))
        server = make_server(HOST, next(servers.free_ports()), app, threaded=True)
        sys.stdout.write(f"http://{HOST}:{server.server_port}\n")
        sys.stdout.flush()
        server.serve_forever()


if __name__ == "__main__":
    main()
