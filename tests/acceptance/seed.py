"""The script of the founding text, pasted, with a mark where its location stands."""

from pathlib import Path

SCRIPT = """\
from ezpyp import Pipeline, as_pickle_step
from ezpyp.steps import PlaceHolder

# Define a pipeline instance to link together functions as steps
pipeline = Pipeline("/home/pipeline_cache", "my_pipeline")

# Apply decorator to link alpha to pipeline
@as_pickle_step(pipeline)
def alpha(x):
    return x ** 2

# Not evaluated, yet
step_alpha = alpha(3)

# Apply decorator to link beta to pipeline
@as_pickle_step(pipeline)
def beta(x):
    return x ** 3

# Not evaluated, yet
step_beta = beta(2)

# For the final step, we define the dependencies of gamma to be other steps
@as_pickle_step(pipeline, depends_on=[step_alpha, step_beta])
def gamma(a, b):
    return a / b

# Still not evaluated, and we can use PlaceHolder to indicate
# that the gamma values explicitly depend on the outputs from alpha and beta
step_gamma = gamma(PlaceHolder(step_alpha), PlaceHolder(step_beta))

# Initialize the schema for our workflow (steps cannot be changed now)
pipeline.initialize_schema()

# Run the pipeline steps
pipeline.execute()

# Results from cache can be loaded with, e.g.
print(f"Pipeline result for gamma: {pipeline.get_result('gamma')}")
"""

LINES = """\
[MPI process 00] [Running component of phase 00] [Executing Pickle Step Object 'alpha']
  ╰─> [PASS] 'alpha'
[MPI process 00] [Running component of phase 00] [Executing Pickle Step Object 'beta']
  ╰─> [PASS] 'beta'
[MPI process 00] [Running component of phase 01] [Executing Pickle Step Object 'gamma']
  ╰─> [PASS] 'gamma'
""".splitlines()


def text(location: Path, *, power: int = 3) -> str:
    """Give the script, its location set and perhaps the one line of beta changed."""
    return SCRIPT.replace("/home/pipeline_cache", str(location)).replace("x ** 3", f"x ** {power}")
