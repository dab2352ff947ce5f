from common.db.migrations import run_environment
from services.webhooks.rights import RIGHTS

run_environment(RIGHTS)
