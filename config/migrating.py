from migrations.locks import MigrationError, locked
from migrations.runner import check, current, downgrade, head_revision, revision, upgrade
