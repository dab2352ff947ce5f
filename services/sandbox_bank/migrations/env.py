from common.db.migrations import run_environment
from services.sandbox_bank.rights import RIGHTS

run_environment(RIGHTS)
