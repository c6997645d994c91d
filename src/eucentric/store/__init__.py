"""One database: tables, migrations, transactions, the bell."""
