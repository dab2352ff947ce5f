"""What an installation consists of: services and their settings, credentials, provisioning, migrations, compose."""
