"""The engine: takes commands, decides them, and answers once their commits are admitted."""
