"""Read models that pages, HTTP and the command line share: receipts, case files, dashboards, and their words."""
