from common.db.migrations import run_environment
from services.balance.rights import RIGHTS

run_environment(RIGHTS)
