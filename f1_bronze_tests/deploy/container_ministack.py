"""ministack as a program, with what it overlooks in task definitions that CloudFormation makes.

It passes over `ReadonlyRootFilesystem`: here every container has a read-only root, a /tmp in memory
and no home. It hands on `Secrets` in CloudFormation's spelling, which its ECS does not read.
"""

import runpy
from typing import Any


def main() -> None:
    """Run it; docker and ministack are installed where servers are, not where tests are."""
    from docker.models.containers import ContainerCollection
    from ministack.services.cloudformation import provisioners

    run_container = ContainerCollection.run
    normalize_definitions = provisioners._normalize_container_defs

    def run(self: Any, image: Any, *words: Any, **options: Any) -> Any:
        if options.get("network_mode") == "host":
            options["ports"] = None  # ECS takes both, Docker does not
        options["environment"] = {**options["environment"], "HOME": ""}
        return run_container(self, image, *words, read_only=True, tmpfs={"/tmp": ""}, **options)

    def normalize(definitions: Any) -> Any:
        made = normalize_definitions(definitions)
        for one in made:
            one["secrets"] = [
                {name[0].lower() + name[1:]: value for name, value in secret.items()}
                for secret in one.get("secrets", ())
            ]
        return made

    ContainerCollection.run = run
    provisioners._normalize_container_defs = normalize
    runpy.run_module("ministack", run_name="__main__")


if __name__ == "__main__":
    main()
