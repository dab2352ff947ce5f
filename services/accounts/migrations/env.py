from common.db.migrations import run_environment
from services.accounts.rights import RIGHTS

run_environment(RIGHTS)
