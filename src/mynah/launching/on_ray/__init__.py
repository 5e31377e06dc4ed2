"""Jobs on Ray: a process of ours that stays beside the user, and others where Ray has room.

Ray itself is imported by these modules alone, and by none of them before it is needed.
"""
