"""HTTP in: a service that follows a user."""

from flask_openapi3.blueprint import APIBlueprint

from common.contracts.events import FOLLOWERS
from common.http.server.endpoint import services_only
from common.http.server.request import Request
from common.http.server.response import Response
from services.payments.context import Context
from services.payments.followers import service
from services.payments.followers.schemas import FollowedUserPath

internal = APIBlueprint("followers", __name__, url_prefix="/internal", doc_ui=False)


@internal.put("/followed-users/<userID>")
@services_only(*FOLLOWERS)
def follow_user(context: Context, request: Request, path: FollowedUserPath) -> Response:
    """Publish the future events of this user to the calling service."""
    service.follow_user(context, request.calling_service, path.user_id)
    return Response(204)
