"""Publishing: builds public records from admitted commits and writes them in transactions."""
