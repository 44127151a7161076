"""The notifier: sends buyers and sellers the notifications that admitted commits call for."""
