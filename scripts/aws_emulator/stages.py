"""Delete single settings of an API's stage, where ministack 1.5.33 deletes the stage.

Terraform deletes a route's throttle before it updates the stage, so the update failed.

Sources: https://docs.aws.amazon.com/apigatewayv2/latest/api-reference/apis-apiid-stages-stagename-routesettings-routekey.html
https://docs.aws.amazon.com/apigatewayv2/latest/api-reference/apis-apiid-stages-stagename-accesslogsettings.html
"""

import re
from typing import Any

from ministack.services import apigateway

_ROUTE_SETTINGS = re.compile(r"/v2/apis/(?P<api>[^/]+)/stages/(?P<stage>[^/]+)/routesettings/(?P<route>.+)")
_ACCESS_LOG_SETTINGS = re.compile(r"/v2/apis/(?P<api>[^/]+)/stages/(?P<stage>[^/]+)/accesslogsettings")

_handle_request = apigateway.handle_request


def patch_stages() -> None:
    """Let ministack delete a setting and keep its stage."""
    apigateway.handle_request = _handle


async def _handle(method: str, path: str, *more: Any) -> Any:
    if method == "DELETE":
        if match := _ROUTE_SETTINGS.fullmatch(path):
            return _delete(match, "routeSettings", match["route"])
        if match := _ACCESS_LOG_SETTINGS.fullmatch(path):
            return _delete(match, "accessLogSettings")
    return await _handle_request(method, path, *more)


def _delete(address: re.Match[str], *keys: str) -> Any:
    settings = apigateway._stages.get(address["api"], {}).get(address["stage"], {})
    *parents, last = keys
    for parent in parents:
        settings = settings.get(parent, {})
    if settings.pop(last, None) is None:
        return apigateway._apigw_error("NotFoundException", f"Unable to find {' '.join(keys)}", 404)
    return 204, {}, b""
