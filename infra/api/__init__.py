"""Requests and answers of the API as JSON, over HTTP and on topics alike: commands, outcomes, problem details."""
