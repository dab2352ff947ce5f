""" Contains all the data models used in inputs/outputs """

from .accepted_check import AcceptedCheck
from .active_check import ActiveCheck
from .active_list import ActiveList
from .balance_view import BalanceView
from .cancelled_check import CancelledCheck
from .check_view import CheckView
from .check_view_status import CheckViewStatus
from .create_request import CreateRequest
from .credentials import Credentials
from .delivery_list import DeliveryList
from .delivery_status import DeliveryStatus
from .delivery_view import DeliveryView
from .ending import Ending
from .error_body import ErrorBody
from .error_body_errors import ErrorBodyErrors
from .event_type import EventType
from .get_health_response_200 import GetHealthResponse200
from .history_check import HistoryCheck
from .history_list import HistoryList
from .history_type import HistoryType
from .listed_session_view import ListedSessionView
from .me_view import MeView
from .new_webhook import NewWebhook
from .number_and_code import NumberAndCode
from .password_change import PasswordChange
from .previewed_check import PreviewedCheck
from .session_list import SessionList
from .session_view import SessionView
from .sign_in import SignIn
from .started_top_up import StartedTopUp
from .statement_entry import StatementEntry
from .statement_view import StatementView
from .top_up_list import TopUpList
from .top_up_request import TopUpRequest
from .top_up_view import TopUpView
from .top_up_view_status import TopUpViewStatus
from .transfer_kind import TransferKind
from .webhook_list import WebhookList
from .webhook_status import WebhookStatus
from .webhook_view import WebhookView
from .webhook_with_secret import WebhookWithSecret

__all__ = (
    "AcceptedCheck",
    "ActiveCheck",
    "ActiveList",
    "BalanceView",
    "CancelledCheck",
    "CheckView",
    "CheckViewStatus",
    "CreateRequest",
    "Credentials",
    "DeliveryList",
    "DeliveryStatus",
    "DeliveryView",
    "Ending",
    "ErrorBody",
    "ErrorBodyErrors",
    "EventType",
    "GetHealthResponse200",
    "HistoryCheck",
    "HistoryList",
    "HistoryType",
    "ListedSessionView",
    "MeView",
    "NewWebhook",
    "NumberAndCode",
    "PasswordChange",
    "PreviewedCheck",
    "SessionList",
    "SessionView",
    "SignIn",
    "StartedTopUp",
    "StatementEntry",
    "StatementView",
    "TopUpList",
    "TopUpRequest",
    "TopUpView",
    "TopUpViewStatus",
    "TransferKind",
    "WebhookList",
    "WebhookStatus",
    "WebhookView",
    "WebhookWithSecret",
)
