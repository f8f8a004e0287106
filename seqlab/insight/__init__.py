"""Why a trained network behaves as it does, in pictures."""
