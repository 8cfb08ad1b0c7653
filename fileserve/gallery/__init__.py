"""
Albums as pages: previews, camera data, pictures taken in and removed, and shared without their location.
"""
