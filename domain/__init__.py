"""What is true: events, order state, commands, decisions, policies, money, calendar.

Pure: no clock, no ids, no I/O, no logging. Reading order: instants · facts · events · commands · money · calendar ·
order · folding · policy · verdict · rules · decisions · decide · asking.
"""
