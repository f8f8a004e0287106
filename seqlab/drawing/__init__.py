"""Pictures and pages: how everything that seqlab draws looks."""
