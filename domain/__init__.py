"""The domain: events, order state, commands, decisions, policies, money, calendar.

All of it is pure: no clock, no generated ids, no I/O, no logging. Reading order: instants · facts · events · commands ·
money · calendar · order · folding · policy · verdict · rules · decisions · decide · eligibility_queries.
"""
