"""The corpus `movie_reviews`: sentences from reviews of films. data/movie_reviews.py reads it."""

from __future__ import annotations

from seqlab.data.corpus import EmbeddedCorpus

CORPUS = EmbeddedCorpus(
    name="movie_reviews",
    tasks=("sentiment",),
    about="8,530 sentences of Rotten Tomatoes reviews (Pang & Lee 2005, CC BY 4.0)",
    licence="CC BY 4.0",
    citation="Pang & Lee (2005), Seeing stars, ACL: sentence polarity data",
    source="https://www.cs.cornell.edu/people/pabo/movie-review-data/",
    package="movie_reviews",
    file="data/combined_movie_reviews.csv",
)
