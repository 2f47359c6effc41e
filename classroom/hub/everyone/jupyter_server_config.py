"""Jupyter's settings of everybody on the hub."""

c = get_config()  # noqa: F821 - traitlets puts it there
c.LabApp.check_for_updates_class = "jupyterlab.NeverCheckForUpdate"
c.LabApp.news_url = None
# A lesson that lies open in no browser gives its memory back; one that computes is not idle.
c.MappingKernelManager.cull_idle_timeout = 45 * 60  # seconds
c.MappingKernelManager.cull_interval = 300
