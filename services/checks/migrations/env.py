from common.db.migrations import run_environment
from services.checks.rights import RIGHTS

run_environment(RIGHTS)
