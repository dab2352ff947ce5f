from common.db.migrations import run_environment
from services.payments.rights import RIGHTS

run_environment(RIGHTS)
