"""What run.py is made of: processes and their costs, the servers, the rows, the table."""
