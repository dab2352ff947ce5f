"""``fastcheck demo`` runs all steps of its scenario, and names the step that fails."""

from pathlib import Path

from launcher.ports import HOST
from tests.support.system import RunningSystem, fastcheck

TIMEOUT_SECONDS = 240


def test_demo_runs_all_steps_on_its_own_system() -> None:
    result = fastcheck("demo", timeout=TIMEOUT_SECONDS)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "Every step succeeded." in result.stdout
    assert "The books of all services are audited" in result.stdout
    assert "✗" not in result.stdout


def test_demo_runs_all_steps_on_a_running_system(system: RunningSystem) -> None:
    result = fastcheck(
        "demo",
        "--url",
        system.gateway_url,
        "--data-dir",
        str(system.data_dir),
        "--lifetime",
        "2",
        timeout=TIMEOUT_SECONDS,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert "Every step succeeded." in result.stdout


def test_failed_step_is_named(tmp_path: Path) -> None:
    result = fastcheck("demo", "--url", f"http://{HOST}:9", "--data-dir", str(tmp_path))
    assert result.returncode == 1
    assert result.stderr.startswith("Step 1 failed (A request without a session is rejected): GET /balance got no")
    assert "Traceback" not in result.stderr
