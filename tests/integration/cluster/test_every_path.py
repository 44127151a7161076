"""Every path about one order is classified: forwarded to the process that follows it, or a write, which is sent through
the topic."""

import re

from fastapi.routing import APIRoute

from infra.api.paths import EVIDENCE, PATHS, PREVIEWS
from infra.app import AppOptions, open_app
from infra.http.forwarding import order_of
from infra.http.routes import ANY
from infra.server.server import create
from infra.settings import load_settings

WRITES = {f"/v1/{{marketplace}}/orders/{{order_id}}{form.path}" for form in (*PATHS, EVIDENCE, ANY)}


def test_every_path_about_one_order_is_passed_on_or_is_a_write() -> None:
    with open_app(load_settings(journal="memory:"), AppOptions(views=False)) as app:
        included = [getattr(each, "original_router", each) for each in create(app).routes]
    every = [route for each in included for route in getattr(each, "routes", [each])]
    routes = [route for route in every if isinstance(route, APIRoute) and "{order_id}" in route.path]
    assert len(routes) > len(WRITES) + len(PREVIEWS)
    for route in routes:
        path = re.sub(r"\{[a-z_]+\}", "x", route.path.replace("{marketplace}", "acme").replace("{order_id}", "PO-1"))
        for method in route.methods or ():
            order = order_of({"type": "http", "method": method, "path": path, "headers": []})
            if method == "POST" and route.path in WRITES:
                assert order is None, route.path
            else:
                assert order == "acme/PO-1", f"{method} {route.path}: infra/http/forwarding.py does not know it"
